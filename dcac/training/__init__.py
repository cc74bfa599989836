"""What a run is made of, its batches, steps and loop, exact resume, diagnostics and cost."""
