from event_sinker.main import main

raise SystemExit(main())
