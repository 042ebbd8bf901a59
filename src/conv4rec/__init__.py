"""Conv4Rec: one model for what users take and how they rate it, as probabilities."""
