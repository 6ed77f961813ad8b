"""Professionals' notes to a probability of malignancy, and the truth about how well that works.

text      a note, its words, what each feature set reads, and the vectoriser that turns them into numbers
parsing   a free-text sentence to the same note, by the lexicon in lexicon.csv
model     fit, calibrate and predict
answer    one note, typed or chosen, to a probability with its reasons
store     a model on disk: XGBoost JSON with its card
evaluate  every model, feature set and protocol with intervals; search lists the settings that were tried
board     a model with its figures and reasons on rows that it did not see, as the page shows it
leakage   what each tempting shortcut adds to the figures
explain   importance, exact SHAP values, partial dependence, similar cases

Importing any of these loads neither xgboost nor scikit-learn; fitting and predicting do.
"""
