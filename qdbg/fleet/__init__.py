"""Many samples under many arithmetics: what changes on other machines, and what cannot."""
