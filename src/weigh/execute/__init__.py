"""Where jobs run: the driver, one worker per job, timing, racing, refits. The only room that knows both wings."""
