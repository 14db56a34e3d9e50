"""What somebody else would write: a package with an executor, and one that breaks the contract."""
