"""The baseline of text beside scikit-learn: TF-IDF and logistic regression on the same rows, C as
given (1 where none is).

    tailor train FOLDER --route baseline --set l2_head=X --out OUT     (X: 1 / (C n); of two classes
                                                                        twice that)
    tfidf.py TRAIN.csv TEST.csv TEXT LABEL [C]
"""
import csv
import sys

import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def rows(path, text, label):
    if path.endswith(".tsv"):
        found = [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")]
        return [r[int(text)] for r in found], [r[int(label)] for r in found]
    found = list(csv.DictReader(open(path, encoding="utf-8", newline="")))
    return [r[text] for r in found], [r[label] for r in found]


train, test, text, label = sys.argv[1:5]
c = float(sys.argv[5]) if len(sys.argv) > 5 else 1.0
x, y = rows(train, text, label)
u, v = rows(test, text, label)
words = TfidfVectorizer()
model = LogisticRegression(C=c, max_iter=2000).fit(words.fit_transform(x), y)
print(f"scikit-learn {sklearn.__version__}: {len(x)} rows, {len(words.vocabulary_)} words, C {c}: "
      f"accuracy {model.score(words.transform(u), v):.4f} on {len(u)}")
