"""The commands that the language-model column adds to `mmd-games`, found by their entry points and imported when one is called."""
