"""From feature files to exact rankings, scores and their uncertainty; ranking/ and reranking/ explain their words."""
