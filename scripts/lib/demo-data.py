#!/usr/bin/env python3
"""Rows of the demo's tables as COPY text, the same on every machine.

  demo-data.py DIRECTORY [SCALE]   writes DIRECTORY/<table>.copy for every table and DIRECTORY/tables (their names in
                                   loading order). SCALE 1 (default) is about 220,000 rows; 0.05 suits a test.

Only the standard library; the generator has its own arithmetic, so that no version of Python changes the data.
"""
import os
import sys

TABLES = ["tenants", "users", "federation_identities", "activities", "content", "courses", "enrollments", "jobs"]
PINNED_TENANT = "0b9c1c1e-0000-4000-8000-000000000001"  # also in demo-cluster.toml
REGIONS = ["eu", "eu", "eu", "us", "us", "us", "de", "fr", "ca", "museum"]
WORDS = ("river stone Lantern quiet Über market École winter signal garden copper moon Straße harbor violet anchor "
         "meadow echo granite comet").split()
DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
NULL = "\\N"


class Random:
    """SplitMix64 (Steele, Lea and Flood, 2014)."""

    MASK = (1 << 64) - 1

    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)

    def below(self, limit):
        return self.bits() % limit

    def chance(self, percent):
        return self.below(100) < percent

    def pick(self, items):
        return items[self.below(len(items))]

    def uuid(self):
        text = "%016x%016x" % (self.bits(), self.bits())
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def date(self, first_year, years):
        month = self.below(12)
        return "%04d-%02d-%02d" % (first_year + self.below(years), month + 1, 1 + self.below(DAYS_IN_MONTH[month]))

    def time(self, first_year, years):
        return "%s %02d:%02d:%02d.%06d" % (self.date(first_year, years), self.below(24), self.below(60), self.below(60),
                                           self.below(1000000))

    def decimal(self, limit, digits):
        return "%d.%0*d" % (self.below(limit), digits, self.below(10 ** digits))

    def words(self, count):
        return " ".join(self.pick(WORDS) for _ in range(count))


class Generator:
    def __init__(self, directory, scale):
        self.directory = directory
        self.scale = scale
        tenants = max(8, int(200 * min(1.0, scale * 4)))
        identity = Random(1)
        self.tenants = [PINNED_TENANT] + [identity.uuid() for _ in range(tenants - 1)]
        self.users = []    # (tenant, user)
        self.courses = []  # (tenant, course)

    def count(self, rows):
        return max(20, int(rows * self.scale))

    def tenant(self, random):
        """Small tenants and large ones: the smaller of two draws is more often a low number."""
        return self.tenants[min(random.below(len(self.tenants)), random.below(len(self.tenants)))]

    def write(self, table, rows):
        with open(os.path.join(self.directory, table + ".copy"), "w", encoding="utf-8", newline="\n") as out:
            for row in rows:
                out.write("\t".join(row) + "\n")

    def rows_of_tenants(self):
        random = Random(2)
        for number, tenant in enumerate(self.tenants, 1):
            yield (tenant, f"tenant-{number:03d}", random.pick(REGIONS[:9]), random.pick(["free", "team", "campus"]),
                   str(10 * (1 + random.below(100))), random.time(2020, 3) + "+00")

    def rows_of_users(self):
        random = Random(3)
        for number in range(self.count(40000)):
            tenant, user = self.tenant(random), random.uuid()
            self.users.append((tenant, user))
            yield (tenant, user, f"user{number}", f"user{number}@example.org",
                   NULL if random.chance(5) else random.words(2), "t" if random.chance(2) else "f",
                   str(random.below(5000)), random.decimal(1000, 2), NULL if random.chance(20) else random.date(1960, 45),
                   random.time(2022, 4) + "+00")

    def rows_of_federation_identities(self):
        random = Random(4)
        for number in range(self.count(40000)):
            tenant, user = random.pick(self.users)
            yield (tenant, random.uuid(), user, random.pick(["activitypub", "oidc", "saml", "matrix"]), f"subject-{number}",
                   "\\\\x%016x" % random.bits(), random.time(2023, 3))

    def rows_of_activities(self):
        random = Random(5)
        for number in range(self.count(70000)):
            tenant, user = random.pick(self.users)
            payload = '{"n": %d, "tags": ["%s"]}' % (number, random.pick(WORDS))
            yield (random.time(2023, 3) + "+00", tenant, random.uuid(), user,
                   random.pick(["Create", "Follow", "Like", "Announce", "Undo"]),
                   NULL if random.chance(10) else random.words(4), str(random.below(1000)), random.decimal(10000, 3),
                   NULL if random.chance(30) else random.decimal(100, 2), NULL if random.chance(50) else payload)

    def rows_of_content(self):
        random = Random(6)
        for number in range(self.count(25000)):
            tags = ",".join('"%s"' % random.pick(WORDS) for _ in range(random.below(4)))
            yield (random.pick(REGIONS), str(1000000 + number * 7), self.tenant(random), random.words(3),
                   random.pick(["en", "de", "fr", "es"]), random.pick(["draft", "published", "published", "hidden"]),
                   "{%s}" % tags, str(random.below(10 ** 10)), NULL if random.chance(15) else random.decimal(10, 2),
                   NULL if random.chance(10) else random.date(2019, 7))

    def rows_of_courses(self):
        random = Random(7)
        for _ in range(self.count(5000)):
            tenant, course = self.tenant(random), random.uuid()
            self.courses.append((tenant, course))
            yield (tenant, course, random.words(3), str(1 + random.below(5)), random.decimal(900, 2), random.date(2024, 3),
                   str(10 + random.below(90)))

    def rows_of_enrollments(self):
        random = Random(8)
        of_tenant = {}
        for tenant, user in self.users:
            of_tenant.setdefault(tenant, []).append(user)
        seen = set()
        for _ in range(self.count(40000)):
            tenant, course = random.pick(self.courses)
            user = random.pick(of_tenant[tenant]) if tenant in of_tenant else random.uuid()
            if (course, user) in seen:
                continue
            seen.add((course, user))
            yield (tenant, course, user, random.time(2024, 2) + "+00", "0.%02d" % random.below(100),
                   NULL if random.chance(40) else str(random.below(101)))

    def rows_of_jobs(self):
        random = Random(9)
        for number in range(1, 201):
            yield (str(number), random.pick(["mail", "purge", "index", "export"]), random.pick(["queued", "done", "failed"]),
                   random.time(2025, 1) + "+00")


def main():
    directory = sys.argv[1]
    generator = Generator(directory, float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
    os.makedirs(directory, exist_ok=True)
    for table in TABLES:
        generator.write(table, getattr(generator, "rows_of_" + table)())
    with open(os.path.join(directory, "tables"), "w", encoding="utf-8") as out:
        out.write("\n".join(TABLES) + "\n")


if __name__ == "__main__":
    main()
