"""How fast weigh is, next to the limit of the machine and to what people use: `make bench`, docs/benchmarks.md.

work.py         what a contender is asked to do, and what it answers
contenders/     one file each: bare, weigh, textbook, transformers, fastai, timm, lightning
worker.py       one contender in a process of its own, on call
finetune.py     epochs of all contenders in turn, round by round
steps.py        the parts of the study of 75 heads, each a process of its own
study75.py      those parts in turn, round by round
pictures.py     the pictures: solar cells, photos, a folder per class
paired.py       ratios within a round, their median and range
records.py      results/*.json: what was measured, and on which machine
publish.py      docs/benchmarks.md from results/*.json; draw.py its picture
"""
