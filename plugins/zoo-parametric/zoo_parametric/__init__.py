"""A world model of known equations with unknown constants: `parametric`, by system identification."""
