"""A small language model that knows a shop's assortment, and the readers who judge its answers.

``grammar``: what is asked and answered, with exact probabilities. ``tokenizer``, ``pretraining``, ``build``: the model. ``voters``: who prefers which answer, and
the game that this makes of the answers to a question.
"""
