"""k-reciprocal re-ranking (Zhong et al. 2017), in blocks of rows.

`reciprocal` weights, for every image of query and gallery together, those among whose nearest it is itself (its k-reciprocal
neighbours); `sparse` keeps these few weights a row instead of a square matrix, and averages and compares rows. The new
distance, computed in `evaluation/rerank.py`, mixes how little two rows overlap (Jaccard) with the original distance.
"""
