"""Exact ranking without a query x gallery matrix.

In the order of the data: `distances` turns features into a `Geometry`, whose *stand-ins* are cheap float32 values that order
a query's gallery as the distances do, but for a known error. `identities` says which gallery images match a query and which
leave its ranking. `counting` finds where matches stand by counting values, never by sorting a row: a *rough count* is
certain for most matches; the others have images within their *uncertain band*, twice the error wide on either side, and
`settle` decides these few by exact float64 distances, and exact ties by gallery order. The result is each match's
*standing*: how many images are nearer, before it, and tied with it. `blocks` does so for block after block of queries, with
NumPy or on a device; `ranks` makes CMC, AP and INP of all standings. `neighbours` finds the nearest rows, for re-ranking.
"""
