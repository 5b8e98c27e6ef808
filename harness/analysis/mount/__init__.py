"""How far an embed got, and when that is decided: tracks, signals, the fold, the verdict."""
