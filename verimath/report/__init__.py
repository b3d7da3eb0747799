"""What a run leaves behind: a record first (`record`), a page second (`html`)."""
