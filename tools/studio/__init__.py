"""The synthetic head studio: people, expressions, looks and captions made from openly licensed shapes. Training only."""
