"""Pictures of the losses themselves: no study needed."""
