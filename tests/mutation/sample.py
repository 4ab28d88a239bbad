"""Skip all mutants of a session except a random sample: ``python sample.py SESSION NUMBER SEED``.

Changes in the samples of an op are never run. They are inputs for checks: another size or sign
gives another check, not a fault.
"""

import random
import re
import sys
from pathlib import Path

from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import WorkerOutcome, WorkResult

DRAWN = re.compile(r"sample=|\br(\.positive)?\(\d")


def is_in_a_sample(mutation) -> bool:
    line = (
        Path(mutation.module_path)
        .read_text(encoding="utf-8")
        .splitlines()[mutation.start_pos[0] - 1]
    )
    return bool(DRAWN.search(line))


session, number, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with use_db(session) as db:
    pending = sorted(
        db.pending_work_items,
        key=lambda item: [
            (str(m.module_path), m.operator_name, m.occurrence) for m in item.mutations
        ],
    )
    counted = [item for item in pending if not any(map(is_in_a_sample, item.mutations))]
    chosen = {
        item.job_id for item in random.Random(seed).sample(counted, min(number, len(counted)))
    }
    skipped = WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output="not in the sample")
    for item in pending:
        if item.job_id not in chosen:
            db.set_result(item.job_id, skipped)
    print(f"{len(chosen)} of {len(counted)} mutants")
