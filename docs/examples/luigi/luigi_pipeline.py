"""The pipeline as Luigi has it: parameters, requires, output targets, a resource, a retry."""

import luigi


class Extract(luigi.Task):
    folder = luigi.Parameter()
    day = luigi.DateParameter()
    region = luigi.ChoiceParameter(choices=["eu", "us"])
    retry_count = 2

    def output(self):
        return luigi.LocalTarget(f"{self.folder}/{self.day}-{self.region}.csv")

    def run(self):
        with self.output().open("w") as file:
            for number in range(3):
                file.write(f"{self.region},{self.day},{number}\n")


class Load(luigi.Task):
    folder = luigi.Parameter()
    day = luigi.DateParameter()
    resources = {"warehouse": 1}  # noqa: RUF012  # as Luigi has it

    def requires(self):
        return [Extract(self.folder, self.day, region) for region in ("eu", "us")]

    def output(self):
        return luigi.LocalTarget(f"{self.folder}/{self.day}-loaded.csv")

    def run(self):
        with self.output().open("w") as file:
            for target in self.input():
                with target.open() as part:
                    file.write(part.read())


class Report(luigi.Task):
    folder = luigi.Parameter()
    day = luigi.DateParameter()

    def requires(self):
        return Load(self.folder, self.day)

    def output(self):
        return luigi.LocalTarget(f"{self.folder}/{self.day}-report.txt")

    def run(self):
        with self.input().open() as file, self.output().open("w") as report:
            report.write(f"{sum(1 for _ in file)} rows of {self.day}\n")
