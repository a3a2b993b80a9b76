"""From an archive to a face table with splits: download, decoding, synthetic faces, protocols."""
