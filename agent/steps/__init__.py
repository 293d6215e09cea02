"""Step kinds that come with the agent; each registers by entry point as a third party's would."""
