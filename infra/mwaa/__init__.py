"""What MWAA is given: building it, and bringing it to an environment that others use too."""


class DeployError(Exception):
    """A deployment was refused or failed; its message ends with the repair."""
