"""The one exception whose message a visitor reads."""


class InputError(ValueError):
    """Something a visitor or operator gave cannot be used.

    The message is shown as it is: one sentence that names the value, the rule it breaks and the remedy.
    Every other exception is a defect of the program and becomes a traceback in the log.
    """
