"""What this site asks of Sphinx beyond Sphinx's own extensions."""
