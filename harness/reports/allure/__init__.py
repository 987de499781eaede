"""The Allure report of a run: its results told to Allure, and the pages built from them."""
