"""Print what the runs of all experiments are up to: done, running, failed or missing, and how long is left; and what
the runs that are done have in common, group by group, with the spread of their seeds.
"""

import cluster
from helpers import experiments, runs


def rows_of(experiment, queue):
    """A row for each run: experiment, run, state, how far it is, its time, and what else there is to tell."""
    rows = []
    for run in experiments.listed(experiment):
        told = with_task(runs.state(experiment, run), queue.get((experiment, run)))
        done = "" if told.done is None else f"{told.done:.0%}"
        time = "" if told.seconds is None else duration(told.seconds) + " left" * (told.state == "running")
        rows.append((experiment, run, told.state, done, time, told.message))
    return rows


def with_task(told, task):
    """The state of a run, with what Slurm says of its task, if it has one."""
    if task is None:
        return told
    if task.state == "running":
        on = f"on {task.where}, job {task.job}"
        return told._replace(state="running", message=f"{told.message}  {on}" if told.state == "running" else on)
    return told._replace(state="queued", message=f"{task.where}, job {task.job}")


def group_rows(experiment):
    """A row for each group with records: how many values its metrics have, and mean ± standard deviation of each."""
    for group, metrics in experiments.groups(experiment).items():
        spreads = "  ".join(f"{name} {experiments.spread(values)}" for name, values in metrics.items() if values)
        if spreads:
            yield experiment, group, str(max(map(len, metrics.values()))), spreads


def duration(seconds):
    """Hours and minutes, minutes and seconds, or seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def show(header, rows):
    """Print a table; its last column is as long as it is."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header) - 1)] + [0]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def main():
    rows, groups, wrong, queue = [], [], [], {}
    try:
        queue = cluster.queue()
    except RuntimeError as error:  # which says nothing against the runs
        print(f"{error}\n")
    for experiment in experiments.experiments():
        try:
            rows += rows_of(experiment, queue)
            groups += group_rows(experiment)
        except experiments.RunError as error:  # one bad list says nothing against the others
            wrong.append(str(error))
    show(("experiment", "run", "state", "done", "time", ""), rows)
    print(f"\n{[row[2] for row in rows].count('done')} of {len(rows)} done")
    if groups:
        print()
        show(("experiment", "group", "seeds", "mean ± standard deviation"), groups)
    if wrong:
        raise SystemExit("\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
