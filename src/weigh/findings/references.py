"""Papers and books that several findings rest on, as the report names them; those of one finding stand in its own file."""

from __future__ import annotations

__all__ = ["HSU", "NADEAU_BENGIO", "NORTHCUTT", "RECHT", "WESTFALL_YOUNG"]

HSU = "Hsu (1996), Multiple Comparisons: Theory and Methods, ch. 4"
NADEAU_BENGIO = "Nadeau & Bengio (2003), Inference for the Generalization Error, Machine Learning 52"
NORTHCUTT = "Northcutt, Athalye & Mueller (2021), Pervasive Label Errors in Test Sets, NeurIPS Datasets and Benchmarks"
RECHT = "Recht, Roelofs, Schmidt & Shankar (2019), Do ImageNet Classifiers Generalize to ImageNet?, ICML"
WESTFALL_YOUNG = "Westfall & Young (1993), Resampling-Based Multiple Testing, Wiley"
