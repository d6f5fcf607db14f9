"""What the searches of a study found, ready for figures, tables and sentences.

``loss_search`` puts the folds of one tuned loss together, ``gain`` compares the tuned arm with the default
one, ``words`` says what was done. Histories of searches and :class:`reports.results.StudyResults` come in;
figures and tables of their own folders read what is here.
"""
