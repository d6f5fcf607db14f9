"""Take the database away while trials run: results wait for it, and are written."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from harness.bench.private_postgres import PrivatePostgres, private_postgres
from tests.faults.drivers import TRIALS, Study, assert_whole, attempts, driver, held_study, program, states
