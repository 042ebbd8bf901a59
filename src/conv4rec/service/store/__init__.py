"""The store: what users did, what they were shown, who was erased and which model answered; SQLite or PostgreSQL."""
