"""Vertex Batch Gateway: a passthrough for batchPredictionJobs that knows what every batch costs."""
