"""What surrounds a training: arguments, presets, begin and end of a run, seeds, sweeps, reproduction."""
