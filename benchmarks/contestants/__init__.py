"""Who does the job: each makes a folder ready, and says what is to be run there."""
