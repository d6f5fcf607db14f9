"""Default eager training: the same network on the same slices as lossbench, without its tricks.

NCHW, float32, torch's default threads, unfused Adam, in one process and alone on the machine. Slices, batches
and loss are lossbench's own, distance maps from its cache: nothing else differs. No validation, no
scores, no checkpoint.

Usage: ``python eager.py JOB.pickle RESULT.json``; the job is a pickled ``TrainingJob``.
"""

import json
import pickle
import sys
import time
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from harness.data.batches import Batch, BatchTable, TrainingSlices, split_digest
from harness.data.prepared import open_prepared
from harness.data.splits import partition
from harness.losses import CombinedLoss
from harness.models import build_model
from harness.training.job import TrainingJob

WARM_UP_STEPS = 2


def run(job: TrainingJob) -> float:
    """Train, after two steps that are not timed; return seconds of all epochs."""
    protocol = job.protocol
    dataset = open_prepared(job.prepared)
    parts = partition(job.split, dataset.patients, job.seed, job.fold)
    loss = job.loss.build()
    slices = TrainingSlices(
        dataset, dataset.cases_named(parts.train), loss.needs, torch.device(job.device), protocol.augment
    )
    table = BatchTable(dataset.fingerprint, split_digest(job.split), job.seed, job.fold)
    torch.manual_seed(job.seed)
    model = build_model(job.model, len(dataset.channels), dataset.n_classes, **job.model_options)
    model.to(job.device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=protocol.optimizer.lr)
    loss.set_epoch(0, protocol.epochs)
    for batch in islice(slices.batches(table, 0, protocol.batch_size), WARM_UP_STEPS):
        take_step(model, loss, optimizer, batch)
    began = time.perf_counter()
    for epoch in range(protocol.epochs):
        loss.set_epoch(epoch, protocol.epochs)
        for batch in slices.batches(table, epoch, protocol.batch_size):
            take_step(model, loss, optimizer, batch)
    return time.perf_counter() - began


def take_step(model: nn.Module, loss: CombinedLoss, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    """Change the weights once."""
    optimizer.zero_grad()
    value = loss(model(batch.images), batch.labels, **batch.needs)
    value.backward()
    optimizer.step()


if __name__ == "__main__":
    seconds = run(pickle.loads(Path(sys.argv[1]).read_bytes()))
    Path(sys.argv[2]).write_text(json.dumps({"seconds": seconds}))
