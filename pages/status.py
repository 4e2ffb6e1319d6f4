"""Status: what the server is doing – the machine, its memory and the queues – for whoever runs it.

Nothing here tells who visits or what they look at.
"""

from clipexplore import ui
from clipexplore.language import _

ui.header(
    lead=_("How the server is doing: its machine, its memory, and what waits in which queue."),
    why=_(
        "Whatever takes longer than a moment runs on a **lane**: a thread of its own with a queue of its own. A lane "
        "does one job after another, and lanes do not wait for each other. If somebody asks for what is being made "
        "already, both share that job, and a job that nobody looks at any more is dropped."
    ),
    formula=r"\text{wait} \approx \text{rest of the job at work} + \text{place} \times \text{median of the last jobs}",
    attempt=_("Start a UMAP on the Map page in another window and watch it here."),
)

ui.operator_box()
ui.show_machine()
ui.show_cluster()
ui.show_lanes()

ui.code(
    lines="""from clipexplore import jobs
from clipexplore.server import machine

print(machine.look())
print([(lane.name, len(lane.jobs)) for lane in jobs.lanes()])"""
)
