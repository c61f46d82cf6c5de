"""IO shell: what a call and a REGISTER cost the SIP core in CPU time, beside Kamailio in the same run."""
