"""One module a step; `moviola_workers.steps.table` says which function does which kind of task."""
