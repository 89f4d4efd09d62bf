"""Everything that needs gradients. Imports the engine, never Qt."""
