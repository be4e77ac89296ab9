"""Forms in which a trained network is taken away: each file is one that `mrfusion export --to` can name."""
