"""How the samples of a training are changed at random, so that a network sees more than there is."""
