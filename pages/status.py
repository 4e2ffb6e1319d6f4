"""Status: what the server is doing – the machine, its memory and the queues – for whoever runs it.

Nothing here tells who visits or what they look at.
"""

from clipexplore import ui

ui.header("status")

ui.show_machine()
ui.show_lanes()

ui.code("""
from clipexplore import worker
from clipexplore.server import machine

print(machine.look())
print([(lane.name, lane.waiting) for lane in worker.lanes()])
""")
