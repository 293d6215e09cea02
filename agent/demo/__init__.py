"""A throwaway site on loopback: what `paramedic demo` and the tests run the agent against."""
