"""Floor 2: who hears of it. Commit batches are applied and fanned out here, in commit order; signals beside them."""
