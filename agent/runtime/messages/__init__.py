"""Messages to people: queued with the decision that orders them, delivered by Apprise."""
