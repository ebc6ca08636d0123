"""`curate doctor`: is this scorer or encoder read rightly, can its scores be trusted, and is the machine set up?"""
