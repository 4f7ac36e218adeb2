"""Explanations and fairness: the numbers behind the two tabs.

Everything here takes and gives plain numbers (numpy arrays, lists, dictionaries). The libraries of the field
(fairlearn, interpret, shap) compute in the user's own job; the server reads what they uploaded and computes the
rest with numpy alone, because importing those libraries costs seconds that a page may not take. The tests hold
every formula here to fairlearn's and scikit-learn's own functions.
"""
