#!/usr/bin/env python3
"""Makes rocpd_rows.db and rocpd_stamps.db beside this script: rocprofv3's SQLite output in its two known shapes, with
times in the rows and with ids of time stamps. By hand from rocpd_tables.sql of ROCprofiler-SDK; no profiler ran."""
import os
import sqlite3

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = "_0000_aa"
CALLS = [(1, 1000, 6000), (2, 6200, 6700), (1, 7000, 10000)]


def make(name, stamps):
    path = os.path.join(HERE, name)
    if os.path.exists(path):
        os.remove(path)
    db = sqlite3.connect(path)
    run = db.execute
    run("PRAGMA page_size = 512")
    times = '"start_id" INTEGER, "end_id" INTEGER' if stamps else '"start" BIGINT, "end" BIGINT'
    for table, columns in {
            "rocpd_metadata": '"id" INTEGER PRIMARY KEY, "tag" TEXT, "value" TEXT',
            "rocpd_string": '"id" INTEGER PRIMARY KEY, "string" TEXT',
            "rocpd_timestamp": '"id" INTEGER PRIMARY KEY, "value" BIGINT',
            "rocpd_info_kernel_symbol": '"id" INTEGER PRIMARY KEY, "kernel_name" TEXT, "display_name" TEXT',
            "rocpd_info_pmc": '"id" INTEGER PRIMARY KEY, "name" TEXT, "symbol" TEXT',
            "rocpd_pmc_event": '"id" INTEGER PRIMARY KEY, "event_id" INTEGER, "pmc_id" INTEGER, "value" REAL',
            "rocpd_kernel_dispatch":
            '"id" INTEGER PRIMARY KEY, "kernel_id" INTEGER, "dispatch_id" INTEGER, ' + times + ', "event_id" INTEGER',
            "rocpd_memory_copy": '"id" INTEGER PRIMARY KEY, ' + times + ', "name_id" INTEGER, "size" INTEGER',
            "rocpd_region": '"id" INTEGER PRIMARY KEY, "name_id" INTEGER, ' + times}.items():
        run(f'CREATE TABLE "{table}{RUN}" ({columns})')

    def time(ns):
        return run(f'INSERT INTO "rocpd_timestamp{RUN}" (value) VALUES (?)', (ns,)).lastrowid if stamps else ns

    run(f'INSERT INTO "rocpd_metadata{RUN}" (tag, value) VALUES ("schema_version", "3")')
    run(f'INSERT INTO "rocpd_string{RUN}" VALUES (1, "MEMORY_COPY_HOST_TO_DEVICE"), (2, "hipModuleLaunchKernel")')
    run(f'INSERT INTO "rocpd_info_kernel_symbol{RUN}" VALUES (1, "matvec_q4_k.kd", "matvec_q4_k"), '
        '(2, "norm_rms.kd", NULL)')
    run(f'INSERT INTO "rocpd_info_pmc{RUN}" VALUES (1, "FETCH_SIZE", "FETCH_SIZE")')
    for i, (kernel, begin, end) in enumerate(CALLS):
        run(f'INSERT INTO "rocpd_kernel_dispatch{RUN}" VALUES (?, ?, ?, ?, ?, ?)',
            (i + 1, kernel, i + 1, time(begin), time(end), i + 1))
        run(f'INSERT INTO "rocpd_pmc_event{RUN}" VALUES (?, ?, 1, ?)', (i + 1, i + 1, 8192.0 + i))
    run(f'INSERT INTO "rocpd_memory_copy{RUN}" VALUES (1, ?, ?, 1, 4096)', (time(100), time(600)))
    run(f'INSERT INTO "rocpd_region{RUN}" VALUES (1, 2, ?, ?)', (time(900), time(950)))
    db.commit()
    db.close()


make("rocpd_rows.db", False)
make("rocpd_stamps.db", True)
