"""Use cases of spend: reports, exports, repricing."""
