"""A provider that costs nothing: OpenAI's chat completions, strict in what it takes.

It validates requests with the openai SDK's own request models and refuses what the API refuses; it keeps a record of
every call it served, matched to ours by ``X-Client-Request-Id``; and like a provider it goes on producing, and
charging, when the client is gone. How it answers is chosen by the model's name or over its control API
(``behaviour.py``). Run it as a process with ``python -m tests.simulator``, or in a test with ``running``.
"""

from tests.simulator.behaviour import Behaviour
from tests.simulator.record import Call
from tests.simulator.server import KEY, Simulator, running

__all__ = ["KEY", "Behaviour", "Call", "Simulator", "running"]
