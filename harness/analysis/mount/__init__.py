"""The progress of an embed and its verdict: tracks, signals, fold, verdict."""
