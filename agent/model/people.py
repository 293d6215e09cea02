"""People, and the ways a message reaches them."""

from pydantic import Field

from agent.model.authored import Authored, Name, SecretName


class MessageTarget(Authored):
    """One way a message goes out: an Apprise URL (https://github.com/caronc/apprise/wiki), kept as a secret because
    it holds passwords and tokens.
    """

    name: str
    url: SecretName = Field(
        description="Name of the secret that holds the Apprise URL, such as mailto://… or slack://…."
    )


class Person(Authored):
    """Somebody who answers for something. `name` is the UNIX user by which the control socket knows the person."""

    name: str
    title: str = Field("", description="How people call her: name and post.")
    phone: str = Field("", description="Shown where a person must be called by another.")
    notify: tuple[Name, ...] = Field((), description="Message targets, all of which are used.")

    @property
    def called(self) -> str:
        return f"{self.title} ({self.name})" if self.title else self.name
